// Lets the identity of a system topic write events to the queue. Deployed into the resource group of the queue's account.
targetScope = 'resourceGroup'

@description('Storage account of the queue.')
param accountName string

@description('Name of the queue.')
param queueName string

@description('Principal id of the topic\'s system-assigned identity.')
param principalId string

var roles = loadJsonContent('../role-ids.json')

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName

  resource queues 'queueServices' existing = {
    name: 'default'

    resource queue 'queues' existing = {
      name: queueName
    }
  }
}

resource writesEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::queues::queue.id, principalId, roles.storageQueueDataMessageSender.id)
  scope: account::queues::queue
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataMessageSender.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'ACR Transfer Monitor: Event Grid puts here the events that the function app reads, which it can not reach itself.'
  }
}
